-- In a transaction of its own: behind a change of the table it would hold up reads too while it is
-- built.

create index orders_by_share on orders (share_key, cost, status, update_time) where share_key <> '';
