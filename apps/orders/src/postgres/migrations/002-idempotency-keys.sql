-- The answer is not stored: it is the order as it was placed, which the order itself still tells.

create table idempotency_keys (
  method text not null,
  customer_id text not null,
  key text not null,
  body_hash bytea not null,
  order_id uuid not null references orders (id) deferrable initially deferred,
  create_time timestamptz not null default now(),
  primary key (method, customer_id, key)
);
create index idempotency_keys_by_age on idempotency_keys (create_time);
