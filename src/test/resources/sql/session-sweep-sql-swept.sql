select count(*) as n from moved
