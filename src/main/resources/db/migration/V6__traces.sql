-- The request that caused it, as a W3C traceparent; null if that was not traced. What the owner does goes on with it.
alter table messages
    add column traceparent text;
alter table session_commands
    add column traceparent text;
