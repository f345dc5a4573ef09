"""The kinds of forgery in the column `forgery_type` of a meta CSV."""

# Spelt like the released notebook, so that its files and ours agree.
REAL = 'RealFace'
SWAP = 'IdentitySwap'
EXPRESSION = 'ExpressionTransfer'
ATTRIBUTE = 'AttributeManipulation'
SYNTHESIS = 'EntireFaceSyncthesis'
FORGERY_LABELS = {REAL: 0, SWAP: 1, EXPRESSION: 2, ATTRIBUTE: 3, SYNTHESIS: 4}
# Of images from folders, which do not say it.
UNKNOWN_TYPE = 'Unknown'
