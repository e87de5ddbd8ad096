-- Version 2: what a holder's pod is labelled, and what else is known of a node.
ALTER TABLE holders ADD COLUMN labels VARCHAR DEFAULT ''; -- usage.Holder.Labels
ALTER TABLE nodes ADD COLUMN node_pool VARCHAR DEFAULT '';
ALTER TABLE nodes ADD COLUMN expected_gpus BIGINT DEFAULT 0; -- 0: nobody says
