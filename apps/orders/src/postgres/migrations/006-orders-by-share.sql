-- In a transaction of its own: behind a change of the table it would hold up reads too while it is
-- built. It holds up writes while it reads the table once, since it has no rows to sort on an
-- upgrade: those from before 005 have no share_key. It stays as it was applied. The next index is
-- built concurrently.

create index orders_by_share on orders (share_key, cost, status, update_time) where share_key <> '';
