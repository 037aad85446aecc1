select from flyway_schema_history where right(script, length($1)) = $1 and success
