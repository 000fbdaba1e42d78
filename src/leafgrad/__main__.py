"""`python -m leafgrad`."""

from .cli import main

raise SystemExit(main())
