"""The commands of the one who deploys: `flask --app wsgi <command>`."""

from collections.abc import Callable

import click

from app.gateway.diagnosis import Diagnosis, Finding


def doctor_command(diagnosis: Diagnosis, database: Callable[[], Finding]) -> click.Command:
    """`doctor`: every check, one line each; exit status 1 when one of them is not well."""

    @click.command(
        "doctor", help="Check credentials, region, model access, database and clock, with a remedy for each."
    )
    @click.option("--model", help="Also check access to this model id, such as amazon.nova-lite-v1:0.")
    def doctor(model: str | None) -> None:
        findings = [diagnosis.credentials(), diagnosis.region(), diagnosis.models()]
        if model:
            findings.append(diagnosis.models(model))
        findings += [database(), diagnosis.clock()]
        for finding in findings:
            click.echo(_line(finding))
        if any(finding.fails for finding in findings):
            raise SystemExit(1)

    return doctor


def _line(finding: Finding) -> str:
    mark = click.style("FAIL", fg="red") if finding.fails else click.style("ok  ", fg="green")
    if finding.warns:
        mark = click.style("warn", fg="yellow")
    remedy = f" -> {finding.remedy}" if finding.remedy else ""
    return f"{mark} {finding.subject:<12} {finding.text}{remedy}"
