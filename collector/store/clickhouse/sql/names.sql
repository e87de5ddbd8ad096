SELECT name
FROM claims
WHERE made_s - asked_s <= grace_s
GROUP BY name
ORDER BY name
