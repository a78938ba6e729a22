/** What was to be reached, as ratios of this very run. */
import type { Measurements } from "./measure-all.ts";
import { type Measured, ratio } from "./rounds.ts";

export interface Target {
  what: string;
  atLeast?: number;
  atMost?: number;
  /** Null where this run did not measure it. */
  measured: number | null;
}

const ALGORITHMS = [
  ["ES256", "ES256"],
  ["Ed25519", "EdDSA"],
  ["RS256", "RS256"],
] as const;

export function compareWithTargets(all: Measurements): Target[] {
  const named = (list: readonly Measured[], name: string): Measured | undefined =>
    list.find((measured) => measured.name.startsWith(name));
  const tokens = (name: string): Measured | undefined => named(all.tokens, name);
  const times = (a: Measured | undefined, b: Measured | undefined): number | null =>
    a && b ? ratio(a, b) : null;
  const oidc = "node-oidc-provider, in memory, Basic";
  const [statement, transaction] = all.rotations;
  const [refresh] = all.refreshes;
  const validator = (name: string): Measured | undefined => named(all.validations, name);
  const [daykey] = all.validations;
  const silent = validator("Daykey's resource-server, not");
  const express = validator("express, express-oauth2-jwt-bearer, RS256");
  const { growth } = all;

  return [
    ...ALGORITHMS.map(([ours, theirs]) => ({
      what: `tokens, ${ours} by the day form: times node-oidc-provider in memory, ${theirs}`,
      atLeast: 2.5,
      measured: times(tokens(`Daykey, day form, ${ours}`), tokens(`${oidc}, ${theirs}`)),
    })),
    {
      what: "tokens, ES256 by the day form: times node-oidc-provider in memory, its default RS256",
      atLeast: 6,
      measured: times(tokens("Daykey, day form, ES256"), tokens(`${oidc}, RS256`)),
    },
    {
      what: "rotations where they are stored: times a knex transaction",
      atLeast: 8,
      measured: times(statement, transaction),
    },
    {
      what: "whole refresh requests: times the knex transaction alone",
      measured: times(refresh, transaction),
    },
    {
      what: "validations: times express-oauth2-jwt-bearer, RS256, neither writing a line a request",
      atLeast: 4,
      measured: times(silent, express),
    },
    {
      what: "the same, Daykey alone writing one",
      measured: times(daykey, express),
    },
    {
      what: "validations: times @fastify/jwt with its cache, both writing a line a request",
      atLeast: 1.1,
      measured: times(daykey, validator("fastify, @fastify/jwt with its cache, log")),
    },
    {
      what: "validations: times @fastify/jwt with its cache, neither writing one",
      atLeast: 1.1,
      measured: times(silent, validator("fastify, @fastify/jwt with its cache, not")),
    },
    {
      what: `bytes that ${growth.tokens} tokens by the day form add to the database`,
      atMost: 0,
      measured: growth.databaseBytesAfter - growth.databaseBytesBefore,
    },
    ...all.latencies
      .filter(({ name }) => name.startsWith("Daykey"))
      .map(({ name, p99Milliseconds }) => ({
        what: `p99 in ms at 70 % of the maximum: ${name}`,
        atMost: 25,
        measured: p99Milliseconds,
      })),
  ];
}

export function isMet({ atLeast, atMost, measured }: Target): boolean | undefined {
  if (measured === null || (atLeast === undefined && atMost === undefined)) return undefined;
  return measured >= (atLeast ?? -Infinity) && measured <= (atMost ?? Infinity);
}
