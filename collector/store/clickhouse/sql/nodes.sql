SELECT node, name, machine_id, provider, account, region, zone, instance_type, instance_id, reservation, cluster, node_pool,
    rack, expected_gpus
FROM nodes
WHERE node IN (SELECT number FROM asked)
