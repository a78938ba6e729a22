/*
 * One grant, from its first refresh token to its end: rotation, retry, reuse, epochs, revocation, clean-up
 * and a restored backup, over two instances that may crash at any step. Run by `npm run models`.
 *
 * Time is left out: `late` says that the retry window has passed, `expired` that the grant's absolute end
 * has, and both may become true at any step. `rotatedAt` counts rotations, so two rotations differ in it.
 * The window counts by the database's clock alone, as in the code.
 *
 * Properties are asserted from ghost variables (g_...), which no step of the code reads.
 * One part of the world is chosen by a macro: THEFT (owner, thief, time), ENDS (owner, revocation, operator, caches,
 * time), RESTORE (owner, operator, backup), CALM (the owner alone, and that it gets there).
 * Another macro breaks one step; each of them has to be found: NO_LOCK, NO_WINDOW, REUSE_ONLY_REFUSED,
 * ANSWER_BEFORE_COMMIT, NO_LOOK, LOW_FLOOR, EARLY_CLEAN_UP, NEW_RETRY, NO_RETRY.
 */
#ifndef LAST
#define LAST 1          /* the highest number that is presented */
#endif
#define NOBODY 255
#define DEAD 255        /* an epoch above all others */

mtype:reason = { alive, late_retry, reuse, revoked };
mtype:outcome = { rotated, retried, refused, unknown, lost };

/* The row of daykey.grants, what the database knows of the client, and a backup of both. */
typedef Database {
  bool row;
  byte seq;
  byte rotatedAt;
  mtype:reason reason;
  byte epoch;           /* the client's own */
  byte floor            /* change_counter.epoch_floor */
};
Database db, backup;
bool late, expired;
byte inFlight;          /* requests between the look at the times and the statement; none takes a day */
byte clock;             /* rotations so far, whatever was restored since */

/* Instances: the client's epoch in the cache, and how often it crashed. */
byte known[2];
byte crashes[2];
#ifndef CRASHES
#define CRASHES 1
#endif
byte crashesLeft = CRASHES;

/* The token's grant was opened in this epoch. */
byte grantEpoch;

/* What two parties hold: the owner the newest it was given, the thief any that it saw. */
byte owner = 0;
byte thief = NOBODY;

/* Ghosts. */
bool g_rotated[LAST + 2];     /* this number was rotated */
byte g_successorAt[LAST + 2]; /* rotatedAt of the successor of a number */
bool g_ended;                 /* an end was acknowledged */
bool g_reused;                /* an older number was presented after its successor was used */
bool g_forgot;                /* a backup was restored: the rules of one history do not hold */
bool g_restored;              /* `restored` was acknowledged */
bool g_raised[2];             /* this instance has read that the epoch was raised */
bool g_rowless;               /* the row was deleted */

#define EPOCH_NOW (db.epoch > db.floor -> db.epoch : db.floor)

/* changes/watcher.ts look(): the caches of this instance are what the database holds. */
inline look(i) {
  atomic {
    known[i] = EPOCH_NOW;
    g_raised[i] = (EPOCH_NOW > grantEpoch)
  }
}

/* grants/grants-store.ts ROTATE with grants/rules.ts refreshOutcome(): one statement. */
inline decide(p, out, at) {
  if
  :: !db.row && p == 0 ->
    db.row = true; db.seq = 1; clock++; db.rotatedAt = clock; db.reason = alive; late = false;
    out = rotated; at = db.rotatedAt
  :: !db.row && p > 0 -> out = unknown
  :: db.row && p > db.seq -> out = unknown
  :: db.row && p <= db.seq && db.reason != alive -> out = refused
  :: db.row && p == db.seq && db.reason == alive ->
    db.seq = p + 1; clock++; db.rotatedAt = clock; late = false;
    out = rotated; at = db.rotatedAt
  :: db.row && p + 1 == db.seq && db.reason == alive ->
    if
#ifdef NO_RETRY
    :: true -> db.reason = reuse; out = refused
#elif defined(NO_WINDOW)
    :: true -> out = retried; at = db.rotatedAt
#elif defined(NEW_RETRY)
    :: !late -> clock++; out = retried; at = clock
    :: late -> db.reason = late_retry; out = refused
#else
    :: !late -> out = retried; at = db.rotatedAt
    :: late -> db.reason = late_retry; out = refused
#endif
    fi
  :: db.row && p + 1 < db.seq && db.reason == alive ->
#ifdef REUSE_ONLY_REFUSED
    out = refused;
#else
    db.reason = reuse; out = refused;
#endif
    g_reused = true
  fi
}

/* What must hold when the statement has accepted a number. */
inline check(p, out, at, afterEnd, afterReuse, afterRaise, afterRestore) {
  if
  :: out == rotated || out == retried ->
    assert(!afterRestore);                       /* R14 */
    assert(!afterRaise);                         /* R9: read by this instance before the request came */
    if
    :: g_forgot -> skip
    :: else ->
      assert(!afterEnd);                         /* R13, T9 */
      assert(!afterReuse);                       /* R3 */
      assert(!expired || !g_rowless);            /* R13: clean-up revives nothing */
      if
      :: out == rotated ->
        assert(!g_rotated[p]);                   /* R1: one successor */
        g_rotated[p] = true; g_successorAt[p + 1] = at
      :: out == retried ->
        assert(g_rotated[p]);
        assert(!late);                           /* R2: only within the window */
        assert(!g_rotated[p + 1]);               /* and only before the successor was used */
        assert(at == g_successorAt[p + 1])       /* R1: the identical token */
      fi
    fi
  :: out == unknown -> assert(g_forgot)
  :: else -> skip
  fi
}

/* token/refresh-token.ts: one request that presents number p at instance i. */
inline refresh(p, i, out, at) {
  /* authentication: the client as the cache has it. readAuthenticated, faultOf */
  atomic {
    inFlight++; generation = crashes[i]; seen = known[i];
    afterEnd = g_ended; afterReuse = g_reused; afterRaise = g_raised[i]; afterRestore = g_restored && g_raised[i]
  };
  if
  :: atomic { grantEpoch < seen || expired -> out = refused; inFlight-- }
  :: else ->
    /* The statement. Between the two a crash ends it without a trace. */
#ifdef NO_LOCK
    atomic { before = db.seq; isThere = db.row && db.reason == alive };
    if
    :: isThere && before == p ->
      atomic { inFlight--; db.seq = p + 1; clock++; db.rotatedAt = clock; late = false; out = rotated; at = clock;
        check(p, out, at, afterEnd, afterReuse, afterRaise, afterRestore) }
    :: else ->
      atomic { inFlight--; decide(p, out, at); check(p, out, at, afterEnd, afterReuse, afterRaise, afterRestore) }
    fi;
#else
    atomic {
      inFlight--;
      if
      :: generation != crashes[i] -> out = lost
      :: else -> decide(p, out, at); check(p, out, at, afterEnd, afterReuse, afterRaise, afterRestore)
      fi
    };
#endif
    /* The answer. What was committed stays so; the client learns nothing. */
    if
    :: generation != crashes[i] -> out = lost
    :: else -> skip
    fi
  fi;
  /* What is no longer needed is no state. */
  d_step { generation = 0; seen = 0; at = 0; before = 0; isThere = false;
    afterEnd = false; afterReuse = false; afterRaise = false; afterRestore = false }
}

/* A program that keeps the newest token it was given, and sends the same one again after a lost answer. */
proctype Owner() {
  byte p, i, at, generation, seen, before;
  bool afterEnd, afterReuse, afterRaise, afterRestore, isThere;
  mtype:outcome out;
  do
  :: owner > LAST -> break
  :: else ->
    atomic { p = owner; if :: i = 0 :: i = 1 fi };
    refresh(p, i, out, at);
    if
    :: out == rotated || out == retried -> atomic { if :: owner == p -> owner = p + 1 :: else -> skip fi }
    :: out == lost -> skip
    :: else -> break
    fi
  od
}

#ifndef CALM
/* Someone who has the client's credential too, and copies the owner's token at any moment; or the client itself, racing. */
proctype Thief() {
  byte p, i, at, generation, seen, before;
  bool afterEnd, afterReuse, afterRaise, afterRestore, isThere;
  mtype:outcome out;
  thief = owner;
  do
  :: thief > LAST -> break
  :: else ->
    atomic { p = thief; if :: i = 0 :: i = 1 fi };
    refresh(p, i, out, at);
    if
    :: out == rotated || out == retried -> thief = p + 1
    :: out == lost -> skip
    :: else -> break
    fi
  od
}

/* revocation/endpoint.ts: the statement, a look, the answer. */
proctype Revoker() {
  byte i, generation;
  if :: i = 0 :: i = 1 fi;
  generation = crashes[i];
#ifdef ANSWER_BEFORE_COMMIT
  if :: generation == crashes[i] -> g_ended = true :: else -> goto done fi;
#endif
  atomic {
    if
    :: generation != crashes[i] -> goto done
    :: else ->
      if
      :: !db.row -> db.row = true; db.seq = 0; db.reason = revoked
      :: db.row && db.reason == alive -> db.reason = revoked
      :: else -> skip
      fi
    fi
  };
  look(i);
#ifndef ANSWER_BEFORE_COMMIT
  atomic { if :: generation == crashes[i] && !g_forgot -> g_ended = true :: else -> skip fi };
#endif
done: skip
}

/* An operator raises the client's epoch (disable, end all tokens, a secret revoked). clients-store.ts */
proctype Operator() {
  byte i, generation;
  if :: i = 0 :: i = 1 fi;
  generation = crashes[i];
  atomic { if :: generation == crashes[i] -> db.epoch = (EPOCH_NOW) + 1 :: else -> goto done fi };
#ifdef NO_LOOK
  atomic { if :: generation == crashes[i] -> g_raised[i] = true :: else -> skip fi };
#else
  look(i);
#endif
done: skip
}

/* changes/watcher.ts: on a notification and every two seconds. */
proctype Watcher(byte i) {
end:
  do
  :: known[i] != EPOCH_NOW -> look(i)
  od
}

/* The window passes, the grant's end comes; own-ends and chores: grants-store.ts clean(). */
proctype Time() {
  byte ages = 1;
end:
  do
  :: ages > 0 && db.row && !late -> atomic { late = true; ages-- }
  :: !expired -> expired = true
#ifdef EARLY_CLEAN_UP
  :: atomic { db.row && !g_rowless -> db.row = false; db.seq = 0; db.reason = alive; g_rowless = true }
#else
  /* A day after the end, so no clock that is off by less revives anything. */
  :: atomic { db.row && expired && inFlight == 0 && !g_rowless ->
      db.row = false; db.seq = 0; db.reason = alive; g_rowless = true }
#endif
  od
}

/* A backup is taken, put back, and said to be: revocation/restore-store.ts. */
proctype Restorer() {
  byte highest;
  atomic {
    backup.row = db.row; backup.seq = db.seq; backup.rotatedAt = db.rotatedAt;
    backup.reason = db.reason; backup.epoch = db.epoch; backup.floor = db.floor;
    /* The grant may have been opened after it, and after the epoch was raised. */
    if :: db.epoch == 0 && grantEpoch == 0 :: backup.epoch = 0 fi
  };
  atomic {
    db.row = backup.row; db.seq = backup.seq; db.rotatedAt = backup.rotatedAt;
    db.reason = backup.reason; db.epoch = backup.epoch; db.floor = backup.floor;
    g_forgot = true; g_raised[0] = false; g_raised[1] = false;
    /* Another order of changes: both read everything anew. */
    known[0] = EPOCH_NOW; known[1] = EPOCH_NOW
  };
  /* markRestored(): seconds since 2025 are above each epoch there has been, also what was forgotten. */
#ifdef LOW_FLOOR
  atomic { db.floor = (EPOCH_NOW) + 1; g_restored = true };
#else
  atomic { db.floor = DEAD; g_restored = true };
#endif
  /* Both instances read it before the answer is relied on: an instance that does not read is not ready. */
  atomic { known[0] = EPOCH_NOW; g_raised[0] = true; known[1] = EPOCH_NOW; g_raised[1] = true }
}
#endif

/* kill -9 of an instance: what it was doing is gone, its caches are read anew. */
proctype Crash(byte i) {
end:
  do
  :: atomic { crashesLeft > 0 -> crashesLeft--; crashes[i]++; known[i] = EPOCH_NOW;
      g_raised[i] = (EPOCH_NOW > grantEpoch) }
  od
}

init {
  atomic {
    db.reason = alive;
    /* The client's epoch was raised before the grant was opened, or never. */
    if :: skip :: db.epoch = 1; grantEpoch = 1; known[0] = 1; known[1] = 1 fi;
    run Owner();
    run Crash(0); run Crash(1);
#ifdef THEFT
    run Thief(); run Time();
#endif
#ifdef ENDS
    run Revoker(); run Operator(); run Time(); run Watcher(0); run Watcher(1);
#endif
#ifdef RESTORE
    run Operator(); run Restorer();
#endif
  }
}

/* R2: under fairness, with crashes that end and nobody else, the owner gets every successor. */
#ifdef CALM
ltl gets_there { <> (owner == LAST + 1) }
#endif
