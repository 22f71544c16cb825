/** The report as tables for a terminal. */
import Table from 'cli-table3';
import type { BenchReport, Ratio, Row } from './report.js';

function figure(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toPrecision(3)} G`;
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (value >= 1e3) return `${(value / 1e3).toPrecision(3)} k`;
  return value.toPrecision(3);
}

function rateOf(row: Row): string {
  return row.unit === 'bytes/s' ? `${figure(row.rate)}B/s` : `${figure(row.rate)} ${row.unit}`;
}

function spreadOf(row: Row): string {
  const show = row.p50 === null ? figure : (value: number): string => `${value.toPrecision(3)}`;
  return `${show(row.min)} .. ${show(row.max)}${row.p50 === null ? '' : ' us'}`;
}

function targetOf(ratio: Ratio): string {
  if (ratio.target === null) return '';
  const sign = ratio.lowerIsBetter ? '≤' : '≥';
  return `${sign} ${ratio.target.must} / ${ratio.target.goal}`;
}

/** What takes nanoseconds has its digits, too. */
function micros(value: number | null): string {
  if (value === null) return '';
  return value < 1 ? value.toPrecision(3) : value.toFixed(2);
}

const PLAIN = { head: [], border: [], compact: true };

/** Renders rows, ratios and notes. */
export function render(report: BenchReport): string {
  const rows = new Table({
    head: ['mechanism', 'workload', 'by', 'rate', 'p50 us', 'p99 us', 'min .. max', 'noise', 'runs', 'placement'],
    style: PLAIN,
  });
  for (const row of report.rows) {
    rows.push([
      row.mechanism,
      row.workload,
      row.implementation,
      rateOf(row),
      micros(row.p50),
      micros(row.p99),
      spreadOf(row),
      `${(row.noise * 100).toFixed(0)} %`,
      row.runs,
      row.placement,
    ]);
  }
  const ratios = new Table({ head: ['ratio', 'is', 'noise', 'must / goal', 'verdict'], style: PLAIN });
  for (const ratio of report.ratios) {
    ratios.push([
      ratio.name,
      ratio.ratio?.toFixed(2) ?? '',
      ratio.noise === null ? '' : `${(ratio.noise * 100).toFixed(0)} %`,
      targetOf(ratio),
      ratio.verdict,
    ]);
  }
  const { machine } = report;
  const head = `${machine.cpu}, ${machine.processors} processors, Linux ${machine.kernel}, Node ${machine.node}, ${machine.compiler}`;
  return [head, rows.toString(), ratios.toString(), ...report.notes].join('\n');
}
