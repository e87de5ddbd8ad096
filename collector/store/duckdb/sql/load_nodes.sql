SELECT id, name, machine_id, provider, account, region, zone, instance_type, instance_id, reservation, cluster, rack
FROM nodes
ORDER BY id
