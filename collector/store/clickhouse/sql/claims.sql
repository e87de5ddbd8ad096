-- The claims to one name that were not too long on their way, and the clock.
SELECT toInt64(toUInt32(now())) AS now_s, min(made_s), max(grace_s), arraySort(groupUniqArray(hash))
FROM claims
WHERE name IN (SELECT name FROM asked) AND made_s - asked_s <= grace_s
