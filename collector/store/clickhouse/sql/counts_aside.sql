SELECT countIf(kind = 'conflict'), countIf(kind = 'quarantine')
FROM aside FINAL
