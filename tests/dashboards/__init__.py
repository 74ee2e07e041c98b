"""Do the queries of the dashboard and of the rules mean something to a Prometheus that scrapes?"""
