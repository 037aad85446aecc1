select events_newest() as newest, events_horizon() as horizon
