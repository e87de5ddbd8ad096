SELECT body
FROM claims
WHERE (name, hash) IN (SELECT name, hash FROM asked)
LIMIT 1
