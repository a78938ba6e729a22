/** The least adapter of node-oidc-provider's interface that keeps everything in PostgreSQL. */
import pg from "pg";

export async function createPostgresAdapter(connectionString) {
  const pool = new pg.Pool({ connectionString, max: 10 });
  await pool.query(`create table if not exists stored (
    model text, id text, payload jsonb not null, grant_id text, uid text, user_code text,
    consumed_at timestamptz, expires_at timestamptz, primary key (model, id))`);

  async function find(model, column, value) {
    const { rows } = await pool.query({
      name: `find by ${column}`,
      text: `select payload, consumed_at from stored
             where model = $1 and ${column} = $2 and expires_at > now()`,
      values: [model, value],
    });
    const [row] = rows;
    return row && { ...row.payload, ...(row.consumed_at && { consumed: true }) };
  }

  return class {
    constructor(model) {
      this.model = model;
    }
    async upsert(id, payload, expiresIn) {
      await pool.query({
        name: "upsert",
        text: `insert into stored (model, id, payload, grant_id, uid, user_code, expires_at)
               values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
               on conflict (model, id) do update set payload = excluded.payload,
                 expires_at = excluded.expires_at`,
        values: [
          this.model,
          id,
          payload,
          payload.grantId ?? null,
          payload.uid ?? null,
          payload.userCode ?? null,
          expiresIn,
        ],
      });
    }
    find(id) {
      return find(this.model, "id", id);
    }
    findByUid(uid) {
      return find(this.model, "uid", uid);
    }
    findByUserCode(userCode) {
      return find(this.model, "user_code", userCode);
    }
    async consume(id) {
      const values = [this.model, id];
      await pool.query(
        "update stored set consumed_at = now() where model = $1 and id = $2",
        values,
      );
    }
    async destroy(id) {
      await pool.query("delete from stored where model = $1 and id = $2", [this.model, id]);
    }
    async revokeByGrantId(grantId) {
      await pool.query("delete from stored where grant_id = $1", [grantId]);
    }
  };
}
