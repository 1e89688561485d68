-- When somebody must look at a run, where nothing else of its row changes.
UPDATE runs SET wake_at = ?2 WHERE run = ?1
