// One prediction and its label for each id, from Go.
//
//	go run . localhost:9092 order-17 order-18
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	brokers, ids, ctx := os.Args[1], os.Args[2:], context.Background()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))) // nil: murmur2 of the key
	if err != nil {
		log.Fatal(err)
	}
	emit := func(topic, id string, event map[string]any) {
		value, _ := json.Marshal(event) // of strings, numbers and times: it cannot fail
		client.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(id), Value: value}, report)
	}
	for _, id := range ids {
		emit("driftline.predictions.v1", id, map[string]any{
			"prediction_id": id, "model": "credit", "model_version": "2026-11-01",
			"features":   map[string]any{"income": 52000, "age": 41, "country": "NL"},
			"prediction": "approve", "predicted_at": time.Now()})
		// ... when the truth is known, perhaps days later and in another program:
		emit("driftline.labels.v1", id, map[string]any{
			"prediction_id": id, "model": "credit", "label": "approve", "labelled_at": time.Now()})
	}
	if err := client.Flush(ctx); err != nil { // waits until all is sent
		log.Fatal(err)
	}
	client.Close()
}

func report(_ *kgo.Record, err error) {
	if err != nil {
		log.Print("not sent: ", err)
	}
}
