SELECT day, edition, sha256, nodes, units, streams, holders, reasons, documents, lives
FROM days
ORDER BY day, edition
