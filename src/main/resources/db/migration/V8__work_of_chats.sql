alter table turns
    -- when its host was first heard of it: until then nothing was begun, and nothing is lost with the host
    add column begun_at   timestamptz,
    -- its session ended while it ran: whoever ran it may still tell what it has used
    add column owes_usage boolean not null default false;

-- what hosts have just now they have begun: nobody knows better
update turns set begun_at = claimed_at where claimed_at is not null and state = 'running' and ended_at is null;

-- How hosts elsewhere have ended or left their turns, by the epoch that each had then: the same again gets the same answer.
create table turn_results (
    turn_id        uuid        not null references turns on delete cascade,
    epoch          bigint      not null,
    host_id        uuid        not null,
    outcome        text        not null,
    -- a hash of each field that was given
    given          jsonb       not null,
    -- the number of the last events that were taken
    last_seq       bigint,
    desired_status text        not null,
    at             timestamptz not null default now(),
    primary key (turn_id, epoch)
);

-- What there is to do in the session of a chat: held (its turn runs, or was left a moment ago), left (its turn waits to be
-- gone on with), mail (a message waits that begins a turn or resumes it), or none; null if the session is no chat's.
-- Volatile, so that under the lock of the session's row it sees what is there now.
create function chat_work(session uuid) returns text
    language plpgsql volatile
as $$
declare
    work text;
begin
    select case
            when t.state in ('running', 'parked') then 'held'
            when t.state = 'paused' then 'left'
            when exists (
                select from messages m
                where m.session_id = s.id and m.state in ('new', 'waiting')
                    and (m.kind = 'user' or m.kind = 'answer' and m.turn_id = s.turn_id))
                then 'mail'
            else 'none' end
        into work
        from agent_sessions s
        join chats c on c.id = s.chat_id and c.workspace_id = s.workspace_id
        left join turns t on t.id = s.turn_id
        where s.id = session;
    return work;
end
$$;

-- The length in UTF-16 units, as the places of chunks are counted.
create function utf16_length(words text) returns integer
    language sql immutable
    return length(words) + case when octet_length(words) = length(words) then 0 else (
        select count(*)::integer from unnest(string_to_array(words, null)) c where ascii(c) > 65535) end;

-- What comes after so many UTF-16 units.
create function utf16_after(words text, units integer) returns text
    language sql immutable
    return case
        when units <= 0 then words
        when octet_length(words) = length(words) then substr(words, units + 1)
        else (
            select coalesce(string_agg(c, '' order by i), '')
            from (select c, i, sum(case when ascii(c) > 65535 then 2 else 1 end) over (order by i) as up_to
                  from unnest(string_to_array(words, null)) with ordinality u (c, i)) p
            where up_to > units) end;

-- All that is known to be said in a turn: up to its last durable point, and what was shown beyond.
create function said_so_far(chat uuid, turn uuid, durable text) returns text
    language plpgsql volatile
as $$
declare
    pieces text[] := array[durable];
    known integer := utf16_length(durable);
    piece record;
    units integer;
begin
    for piece in
        select c.from_char, c.text from chunks c where c.chat_id = chat and c.turn_id = turn order by c.from_char, c.position
    loop
        units := utf16_length(piece.text);
        if piece.from_char <= known and piece.from_char + units > known then
            pieces := pieces || utf16_after(piece.text, known - piece.from_char);
            known := piece.from_char + units;
        end if;
    end loop;
    return array_to_string(pieces, '');
end
$$;

-- Ends what a session leaves that ends: its open turn, with what was said in it, unless that is the one that is closed just
-- now, and all messages that wait. Tells of each at the places from the first one on; returns how many it took, how many turns
-- it ended, and what their hosts have told them to have used, for the sums of the session and the workspace. Volatile, so that
-- under the lock of the session's row it leaves out nothing that was committed before.
create function end_work(ended uuid, next_status text, closing uuid, first_place bigint,
                         out told integer, out turns integer, out input bigint, out output bigint)
    language plpgsql volatile
as $$
declare
    s agent_sessions;
    t turns;
    why text := case next_status when 'error' then 'failed' else next_status end;
    mail_told integer;
begin
    turns := 0;
    select * into s from agent_sessions where id = ended;
    if s.turn_id is distinct from closing then
        select u.told_input, u.told_output into input, output
            from turns u
            where u.id = s.turn_id and u.ended_at is null
            for no key update;
        update turns u
            set said = case when u.state = 'running' then said_so_far(u.chat_id, u.id, u.said) else u.said end,
                owes_usage = u.state = 'running', state = 'stopped', ended_at = clock_timestamp(),
                input_tokens = u.input_tokens + u.told_input, output_tokens = u.output_tokens + u.told_output,
                told_input = 0, told_output = 0
            where u.id = s.turn_id and u.ended_at is null and u.state in ('running', 'parked', 'paused', 'waiting')
            returning * into t;
    end if;
    if t.id is null then
        input := 0;
        output := 0;
    else
        turns := 1;
        update messages set state = 'withdrawn'
            where chat_id = t.chat_id and turn_id = t.id and kind = 'question' and state = 'open';
        if t.said <> '' then
            insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, position)
            values (next_id(), t.workspace_id, t.chat_id, t.session_id, t.id, 'assistant', t.said,
                jsonb_build_object('partial', true, 'reason', why), first_place);
        end if;
        insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
        values (first_place, t.workspace_id, t.chat_id, t.session_id, 'stopped',
            jsonb_build_object('session_id', t.session_id, 'chat_id', t.chat_id, 'turn_id', t.id,
                'agent_type', s.agent_type, 'at', utc(t.ended_at), 'epoch', s.epoch, 'reason', why,
                'partial_response', t.said),
            t.ended_at, false);
    end if;
    with dropped as (
        update messages set state = 'dropped'
        where session_id = ended and state in ('new', 'waiting') and kind in ('user', 'answer')
        returning id, workspace_id, chat_id, session_id, kind, position)
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select first_place + turns + row_number() over (order by d.position, d.id) - 1, d.workspace_id, d.chat_id,
           d.session_id, 'stopped',
           jsonb_build_object('session_id', d.session_id, 'chat_id', d.chat_id, 'turn_id', null, 'message_id', d.id,
               'reason', 'ended', 'partial_response', '', 'at', utc(clock_timestamp())),
           clock_timestamp(), false
    from dropped d
    where d.kind = 'user';
    get diagnostics mail_told = row_count;
    told := turns + mail_told;
end
$$;
