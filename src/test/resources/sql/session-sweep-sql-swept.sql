select count(*) as n, count(*) filter (where status = 'error') as failed from moved
