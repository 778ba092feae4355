-- One row for each order, with its first outcome. Cancels have a table of their own, because a
-- cancel may arrive before its order. A label is compressed, so it is stored without compression.

create table fulfilments (
  order_id uuid primary key,
  status text not null check (status in ('fulfilled', 'rejected', 'withheld')),
  currency_code text,
  minor_units bigint check (minor_units >= 0),
  label bytea,
  reason text,
  time timestamptz not null,
  check ((status = 'fulfilled') = (currency_code is not null and minor_units is not null and label is not null)),
  check ((status = 'rejected') = (reason is not null))
);
alter table fulfilments alter column label set storage external;
create table cancelled_orders (
  order_id uuid primary key,
  time timestamptz not null
);
