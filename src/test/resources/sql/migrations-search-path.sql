select current_schema() as schema, current_setting('search_path') as search_path
