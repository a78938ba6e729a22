/** The model of the refresh against SPIN, in two worlds with a break each; all of them: `npm run models`. */
import { describe, expect, test } from "vitest";
import { namedBreaks, canCheck, CHECKS, checkModel } from "./models.ts";

const isHere = canCheck();
if (!isHere) console.warn("SKIPPED: no model is checked here, as SPIN or a C compiler is missing.");

test("each break that the model of the refresh names is tried", () => {
  const tried = CHECKS.filter((check) => check.isBroken);
  expect(new Set(tried.map(({ macros }) => macros.at(-1)))).toEqual(new Set(namedBreaks()));
});

describe.skipIf(!isHere)("checked by SPIN", () => {
  const here = ["THEFT", "THEFT NO_LOCK", "CALM", "CALM NO_RETRY"];
  const quick = CHECKS.filter(({ macros }) => here.includes(macros.join(" ")));
  const name = ({ macros }: (typeof CHECKS)[number]): string => macros.join(" ");

  test.each(
    quick.filter(({ isBroken }) => !isBroken).map((check) => ({ title: name(check), check })),
  )("no order of steps breaks a rule of the refresh: $title", ({ check }) => {
    expect(checkModel(check)).toMatchObject({ errors: 0 });
  });

  test.each(
    quick.filter(({ isBroken }) => isBroken).map((check) => ({ title: name(check), check })),
  )("a broken model is found: $title", ({ check }) => {
    expect(checkModel(check).errors).toBeGreaterThan(0);
  });
});
