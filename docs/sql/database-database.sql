-- src/hub/database/database.ts

-- plan_for_values
set local plan_cache_mode = force_custom_plan;
