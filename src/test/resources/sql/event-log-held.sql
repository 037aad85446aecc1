select $1 >= up_to and $1 < events_horizon() as held from events_pruned
