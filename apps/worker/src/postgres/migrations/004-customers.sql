-- The customer whom the label is for. Older rows have none, so their labels are for operators only.

alter table fulfilments add column customer_id text;
