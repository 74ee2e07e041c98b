// One prediction and its label for each id, from Java. Needs org.apache.kafka:kafka-clients, which
// `driftline servers up` has put into this folder (on macOS below ~/Library/Caches):
//
//     java -cp "$HOME/.cache/driftline/kafka-jars/*" Emit.java localhost:9092 order-17 order-18

import java.time.Instant;
import java.util.Arrays;
import java.util.Map;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

class Emit {
    public static void main(String... arguments) {
        var brokers = arguments[0];
        Callback report = (record, error) -> {
            if (error != null) System.err.println("not sent: " + error.getMessage());
        };
        // The default partitioner takes murmur2 of the key: leave `partitioner.class` unset.
        var producer = new KafkaProducer<>(
            Map.of("bootstrap.servers", brokers), new StringSerializer(), new StringSerializer());
        for (var id : Arrays.asList(arguments).subList(1, arguments.length)) {
            producer.send(new ProducerRecord<>("driftline.predictions.v1", id, """
                {"prediction_id": "%s", "model": "credit", "model_version": "2026-11-01",
                 "features": {"income": 52000, "age": 41, "country": "NL"},
                 "prediction": "approve", "predicted_at": "%s"}
                """.formatted(id, Instant.now())), report);
            // ... when the truth is known, perhaps days later and in another program:
            producer.send(new ProducerRecord<>("driftline.labels.v1", id, """
                {"prediction_id": "%s", "model": "credit", "label": "approve", "labelled_at": "%s"}
                """.formatted(id, Instant.now())), report);
        }
        producer.close(); // waits until all is sent
    }
}
