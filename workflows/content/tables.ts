import { READY_TEMPLATES } from './templates';

const TASK_VIEW = `
CREATE TABLE IF NOT EXISTS task_view (
  id UUID PRIMARY KEY,
  template_id UUID,
  status VARCHAR(50),
  priority VARCHAR(20),
  created_at TIMESTAMP,
  completed_at TIMESTAMP,
  version INTEGER,
  phase TEXT NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  model_type TEXT,
  user_id TEXT,
  attempts INTEGER NOT NULL,
  agent_id TEXT,
  content_uri TEXT,
  content_sha256 TEXT,
  content_bytes BIGINT,
  failures JSON NOT NULL,
  reason TEXT
);
CREATE INDEX IF NOT EXISTS idx_task_view_status ON task_view(status);
CREATE INDEX IF NOT EXISTS idx_task_view_created_at ON task_view(created_at DESC);
-- For lists of submitters, who see their own alone.
CREATE INDEX IF NOT EXISTS idx_task_view_user ON task_view(user_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_task_view_working ON task_view(updated_at) WHERE phase = 'working';
CREATE INDEX IF NOT EXISTS idx_task_view_in_hand ON task_view(agent_id) WHERE status = 'processing';
`;

const TEMPLATES = `
CREATE TABLE IF NOT EXISTS templates (
  id UUID PRIMARY KEY,
  name TEXT NOT NULL,
  prompt TEXT NOT NULL,
  rules JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
${READY_TEMPLATES.map(
  ({ id, name, prompt, rules }) =>
    `INSERT INTO templates (id, name, prompt, rules) VALUES ('${id}', ${text(name)}, ${text(prompt)}, ${text(JSON.stringify(rules))})
     ON CONFLICT (id) DO NOTHING;`,
).join('\n')}
`;

/**
 * Who generates. An agent enters itself when its process starts and stays when it goes: a task whose
 * agents are all away waits for them on their queue, because an absence is a systemic fault.
 */
const AGENTS = `
CREATE TABLE IF NOT EXISTS agents (
  id TEXT PRIMARY KEY,
  model_types TEXT[] NOT NULL,
  capacity INTEGER NOT NULL CHECK (capacity > 0),
  seen_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
INSERT INTO agents (id, model_types, capacity) VALUES ('agent-1', '{local,scripted}', 10) ON CONFLICT (id) DO NOTHING;
`;

function text(literal: string): string {
  return `'${literal.replaceAll("'", "''")}'`;
}

export const CONTENT_TABLES: readonly string[] = [TASK_VIEW, TEMPLATES, AGENTS];
