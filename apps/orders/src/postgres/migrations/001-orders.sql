-- Version 7 UUIDs sort by time, as text and as the type uuid: "newest first" is `id desc`.

create table orders (
  id uuid primary key,
  customer_id text not null,
  items jsonb not null,
  status text not null check (status in ('pending', 'fulfilled', 'rejected', 'cancelled')),
  currency_code text,
  minor_units bigint check (minor_units >= 0),
  rejection_reason text not null default '',
  version bigint not null check (version >= 1),
  create_time timestamptz not null,
  update_time timestamptz not null,
  check ((status = 'fulfilled') = (currency_code is not null and minor_units is not null))
);
create index orders_by_customer on orders (customer_id, id desc);
