-- The client that an order counts for until it ends, and its cost: one for each item. The key is
-- removed once it no longer counts, so that no address of a client is kept.

alter table orders
  add column share_key text not null default '',
  add column cost integer not null default 1;
