// A list of requests with their policies, as JSON on stdin → what AWS would decide of each, as JSON on stdout.
import { anonymousPrincipal, runSimulation } from "@cloud-copilot/iam-simulate";

let text = "";
for await (const piece of process.stdin) text += piece;

async function decide({ principal, ...request }) {
  const asked = { ...request.request, principal: principal ?? anonymousPrincipal };
  const answer = await runSimulation({ ...request, request: asked }, {});
  return answer.resultType === "error" ? { error: answer.errors } : { decision: answer.overallResult };
}

process.stdout.write(JSON.stringify(await Promise.all(JSON.parse(text).map(decide))));
