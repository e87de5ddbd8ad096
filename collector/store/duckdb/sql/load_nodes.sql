SELECT id, name, machine_id, provider, account, region, zone, instance_type, instance_id, reservation, cluster, rack,
    node_pool, expected_gpus
FROM nodes
ORDER BY id
