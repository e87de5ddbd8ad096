-- A store whose hour records tell $days days of $gpus GPUs, eight in a node. Each
-- was busy for some of every hour, for one of 1,000 jobs of 20 teams. One
-- record a day is there too, for presence; the hour records do not come from
-- them.
INSERT INTO nodes
SELECT n + 1, 'node-' || n, '', 'aws', '', 'us-east-1', '', 'p5.48xlarge', '', '', '', '', '', 8
FROM range($gpus // 8) t(n);

INSERT INTO units SELECT u + 1, u // 8 + 1, 'GPU-' || u, 'H100' FROM range($gpus) t(u);

INSERT INTO streams SELECT n + 1, format('{:032x}', n + 1), format('{:032x}', 1), 'agent' FROM range($gpus // 8) t(n);

INSERT INTO holders SELECT h + 1, 'scheduler', 'job', 'team-' || h % 20, h::VARCHAR, '', '' FROM range(1000) t(h);

INSERT INTO reasons VALUES (1, '');

INSERT INTO hours
SELECT u + 1, $first + h, (u // 8 + h // 50) % 1000 + 1, 1, 0, 0, 3600000 - busy, 0, busy, busy // 2, 3600000, busy * 600, 3600000
FROM (SELECT h, u, 3600000 * ((u // 8 + u % 8 * 7 + h + 1) % 97) // 97 AS busy FROM range($days * 24) a(h), range($gpus) b(u));

INSERT INTO records
SELECT u + 1, u // 8 + 1, h + 1, (u // 8 + h // 50) % 1000 + 1, 1, ($first + h) * 3600000, ($first + h + 1) * 3600000,
    0, 0, 0, 0, 3600000, 0, 3600000, 0, 3600000
FROM (SELECT least(n * 24, $days * 24 - 1) AS h FROM range($days + 1) t(n)) a, range($gpus) b(u);

UPDATE meta SET rolled_hour = $first + $days * 24;
CHECKPOINT;
