"""``manage.py resetfactor <name>``: forget a person's lost second factor, and lift lockouts."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from tenants import second_factor

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Forget a person's second factor and lift lockouts. Audited."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the name the person signs in with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        person = User.objects.filter(username=name).first()
        if person is None:
            raise CommandError(f"There is no person {name}.")
        had_one = second_factor.reset(person, actor=f"manage.py ({getpass.getuser()})"[:150])
        said = "has no second factor any more" if had_one else "had no second factor"
        self.stdout.write(f"{name} {said}; lockouts are lifted.")
