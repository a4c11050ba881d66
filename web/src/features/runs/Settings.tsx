/** The settings of a training: what differs from the defaults first, the rest folded away. */
import type { TrainingSetting } from "../../api/types";
import { m } from "../../lib/messages/runs";

export function Settings({ settings }: { settings: TrainingSetting[] }) {
  const differing = settings.filter((one) => one.differs);
  const same = settings.filter((one) => !one.differs);
  return (
    <section className="run-card" aria-labelledby="run-settings">
      <h2 id="run-settings">{m("settings")}</h2>
      {settings.length === 0 && <p className="run-soft">{m("settings.unknown")}</p>}
      {settings.length > 0 && differing.length === 0 && <p>{m("settings.none")}</p>}
      {differing.length > 0 && <Rows settings={differing} caption={m("settings.differs")} />}
      {same.length > 0 && (
        <details>
          <summary>{m("settings.same", { count: same.length })}</summary>
          <Rows settings={same} caption={m("settings")} />
        </details>
      )}
    </section>
  );
}

function Rows({ settings, caption }: { settings: TrainingSetting[]; caption: string }) {
  const shown = (value: string): string => (value === "" ? m("settings.empty") : value);
  return (
    <table className="run-table">
      <caption>{caption}</caption>
      <thead>
        <tr>
          <th scope="col">{m("settings.name")}</th>
          <th scope="col">{m("settings.value")}</th>
          <th scope="col">{m("settings.default")}</th>
        </tr>
      </thead>
      <tbody>
        {settings.map((one) => (
          <tr key={one.name}>
            <th scope="row">
              <code>{one.name}</code>
            </th>
            <td>{shown(one.value)}</td>
            <td>{one.default === null ? m("settings.noDefault") : shown(one.default)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
