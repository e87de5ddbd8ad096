SELECT DISTINCT name
FROM claims
WHERE made_s - asked_s <= grace_s
ORDER BY name
