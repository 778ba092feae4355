/**
 * What came of each order, once. Cancels have a table of their own: one may come before its order does. A label is a
 * compressed picture already, so it is stored as it is.
 */
export const fulfilments = `
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
`;
