SELECT unit, node, gpu, model
FROM units
WHERE unit IN (SELECT number FROM asked)
