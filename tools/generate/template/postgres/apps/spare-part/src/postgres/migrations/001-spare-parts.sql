
create table spare_parts (
  id text primary key,
  name text not null,
  create_time timestamptz not null
);
