/** What a step found when it looked. */
export interface Look {
  /**
   * `done`: nothing to do. `to-do`: it acts. `check`: it acts and changes nothing. `kept`: what is there differs from ours
   * because the owner edited it, and stays.
   */
  readonly state: 'done' | 'to-do' | 'check' | 'kept';
  /** What it found, or what it will do, in a few words. */
  readonly words: string;
  /** Lines that show what differs or changes; none of them is a secret. */
  readonly details?: readonly string[];
}

/** What a look may know of the steps before it. */
export interface Before {
  /** Whether that step, which comes before this one, will act. */
  willAct(name: string): boolean;
}

/** How a step that acts tells what it is at. */
export interface Acting {
  readonly progress: (words: string) => void;
  /** Something that is not as it should be, though the work goes on. */
  readonly warn: (words: string) => void;
  readonly signal: AbortSignal;
}

/** One thing that an install sees to. */
export interface Step {
  /** In kebab-case, unique and stable. */
  readonly name: string;
  /** What it does, in a few words. */
  readonly does: string;
  /** Changes nothing. Rejects with a Failure where the host is such that nothing may be changed at all. */
  look(before: Before): Promise<Look>;
  /** Does what is missing and leaves alone what is there: killed at any point, the same again ends the same. */
  act(acting: Acting): Promise<void>;
}

export interface PlannedStep {
  readonly step: Step;
  readonly look: Look;
}

/** What will be done, in this order. */
export interface Plan {
  readonly steps: readonly PlannedStep[];
}

/** Looks at everything, in order, and changes nothing. Rejects with the first Failure of a look. */
export async function makePlan(steps: readonly Step[]): Promise<Plan> {
  const planned: PlannedStep[] = [];
  const willAct = (name: string) =>
    planned.some(({ step, look }) => step.name === name && look.state === 'to-do');
  for (const step of steps) planned.push({ step, look: await step.look({ willAct }) });
  return { steps: planned };
}

/** The steps that act, in order. */
export function stepsToRun({ steps }: Plan): readonly PlannedStep[] {
  return steps.filter(({ look }) => look.state === 'to-do' || look.state === 'check');
}
