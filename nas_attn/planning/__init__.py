"""Plan of a search, before it trains: how many trainings, how long they take here, and what their score tells apart."""

from .plan import plan_search
from .searchplan import PlannedStep, SearchPlan
from .telling import plan_said
