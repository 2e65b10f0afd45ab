from .changed_images import ChangedImages as ChangedImages
from .changed_images import read_thumbnails as read_thumbnails
from .claims import ClaimResult as ClaimResult
from .conclusion import Conclusion as Conclusion
from .standing import Standings as Standings
from .standing import standings as standings
from .stored import VERDICT as VERDICT
from .stored import concluded as concluded
