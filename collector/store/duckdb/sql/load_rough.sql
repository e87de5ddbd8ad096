SELECT DISTINCT unit, hour
FROM rough
