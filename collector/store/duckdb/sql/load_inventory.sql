SELECT unit, name, gpu_index, serial, pci, memory_bytes, driver, agent
FROM inventory
QUALIFY row_number() OVER (PARTITION BY unit ORDER BY seen_ms DESC, rowid DESC) = 1
