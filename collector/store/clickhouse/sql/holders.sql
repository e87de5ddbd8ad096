SELECT holder, basis, kind, team, name, part, labels
FROM holders
WHERE holder IN (SELECT number FROM asked)
