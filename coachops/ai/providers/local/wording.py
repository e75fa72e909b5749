"""Wordings of promises, proposals, requests and acceptance, as patterns for one sentence.

`commitments` says how they work together. Names say what a hit means; a comment gives an example
where the pattern alone would not. All are case-insensitive and allow both apostrophes.
"""

from __future__ import annotations

import re

from .text import word_set

_A = r"['\u2019]"


# One of these stands in every utterance that can hold something: all others are skipped at once.
TRIGGERS = (
    *("i'll", "i\u2019ll", "i will", "i shall", "going to", "gonna", "commit", "promise", "let me"),
    *("you could", "you can ", "you might", "you may", "maybe you", "perhaps you", "how about"),
    *("what if", "why don", "suggest", "recommend", "encourage you", "invite you", "would you be"),
    *(
        "are you willing",
        "could you",
        "can you",
        "would you",
        "will you",
        "maybe i",
        "might help to",
    ),
    *(
        "option is",
        "option would be",
        "have you considered",
        "have you thought of",
        "will do",
        "count on",
    ),
    *("consider it done", "happy to", "i could try", "i might try", "useful to", "helpful to"),
    *("have you thought about", "i can do"),
)

_ADVERB = r"(?:(?:just|definitely|certainly|also|then|really|personally|gladly|quickly|now|still|sure)\s+)*"
PROMISE = re.compile(
    rf"\b(?:I{_A}ll|I\s+will|I\s+shall|I(?:{_A}m|\s+am)\s+{_ADVERB}(?:going\s+to|gonna)|"
    rf"I\s+(?:can\s+|do\s+)?(?:promise|commit)(?:\s+you)?\s+to|I(?:{_A}m|\s+am)\s+committing\s+to|"
    rf"count\s+on\s+me\s+to|what\s+(?:I{_A}ll|I\s+will|I(?:{_A}m|\s+am)\s+(?:going\s+to|gonna))\s+do\s+is(?:\s+to)?)"
    rf"\s+(?P<action>{_ADVERB}(?P<verb>[^\W\d_]+)(?P<rest>.*))",
    re.IGNORECASE | re.DOTALL,
)
COMMITS = re.compile(rf"(?:I|I{_A}m|I\s+am)\s+(?:\w+\s+)?commit(?:ting)?\b", re.IGNORECASE)
LET_ME = re.compile(
    r"\blet\s+me\s+(?P<action>(?:also\s+|just\s+|then\s+)*(?:(?P<verb>send|email|e-mail|mail|text|forward|"
    r"introduce|connect|book|schedule|draft)\b|set\s+up|put\s+together|find\s+out|look\s+into|"
    r"look\s+up|get\s+back\s+to\s+you|check\s+with(?!\s+you\b)|arrange|prepare|print|order)(?P<rest>.*))",
    re.IGNORECASE | re.DOTALL,
)
MARKER = re.compile(
    rf"\b(?:what\s+(?:I{_A}ll|I\s+will|I(?:{_A}m|\s+am)\s+(?:going\s+to|gonna))\s+do\s+is|I{_A}ll|I\s+will|I\s+shall|I(?:{_A}m|\s+am)\s+(?:\w+\s+)?(?:going\s+to|gonna)|I\s+(?:can\s+|do\s+)?"
    rf"(?:promise|commit)(?:\s+you)?\s+to|I(?:{_A}m|\s+am)\s+committing\s+to|count\s+on\s+me|let\s+me)\b",
    re.IGNORECASE,
)

# Before the promise, in the same sentence: it is doubted, conditional, told, habitual or quoted.
BEFORE_BLOCKS = re.compile(
    rf"\b(?:if|unless|whether|maybe|perhaps|possibly|probably|might|suppose|supposing|imagine|assuming|"
    rf"doubt|not\s+(?:even\s+|so\s+)?(?:sure|certain)|uncertain|unsure|afraid|worried|scared|fear|hope|hoping|wish|wonder|wondering|guess|"
    rf"don{_A}t\s+(?:think|know|believe|see|want|expect)|didn{_A}t|can{_A}t|cannot|couldn{_A}t|never|"
    rf"whenever|every\s+time|each\s+time|sometimes|usually|often|normally|typically|generally|always|"
    rf"most\s+(?:days|nights|mornings|evenings|weekends|times)|some\s+(?:days|nights|mornings|evenings)|"
    rf"used\s+to|I\s+thought|I\s+knew|I\s+was|I\s+feel\s+like|when\s+I\b(?!\s+(?:get\s+(?:home|back|to|in)|leave))|as\s+though|the\s+day\s+I|until\s+I|"
    rf"what|how|where|who|why|which|whatever|the\s+(?:thing|things|person|one|ones|way|moment|idea)\s+(?:that\s+)?)"
    rf"(?:\b|$)|I\s+think\s*$|"
    # "Wednesdays I'll go out", "I have a beer and I'll smoke": told as a habit.
    rf"\b(?:mon|tues|wednes|thurs|fri|satur|sun|week|work)(?:days|ends)\b|\bI\s+(?:like|have|go|get|come|sit|drink|eat|smoke|take|start|"
    rf"watch|read|wake|lie|stay)\b.*\band\s*$",
    re.IGNORECASE,
)
QUOTED = re.compile(
    rf"\b(?:said|says|say|saying|telling\s+\w+|told\s+\w+|tell\s+\w+|thought|thinking|thinks|goes|asked|"
    rf"promised|wrote|(?:was|were|am|is|be|{_A}m|{_A}s|{_A}re)\s+(?:just\s+|all\s+)?like|feel\s+like|pretend|"
    rf"convinced|claimed|decided)[\s,:;\"\u201c'\u2018-]*(?:that\s+|well\s*,?\s+|okay\s*,?\s+|oh\s*,?\s+)?[\"\u201c'\u2018]?$",
    re.IGNORECASE,
)
# After it: doubt, a habit, a condition.
AFTER_BLOCKS = re.compile(
    r"^(?:not|never|always|usually|often|sometimes|probably|maybe|perhaps|possibly|typically|normally|"
    r"generally|only|hardly|no\s+longer|still\s+be|pretty\s+much|(?:just\s+)?(?:kind|sort)\s+of)\b|"
    r"\bI['\u2019]m\s+like\b|"
    r"\b(?:unless|if|every\s+time|whenever|when\s+I\s+was|back\s+then|last\s+(?:week|month|year|time))\b",
    re.IGNORECASE,
)
# "I'll ask if he is free", "I'll send it, if that's okay": no condition.
HARMLESS_IF = re.compile(
    r"\b(?:see|check|ask|out|know|(?:ask|tell|asking)\s+(?:\w+\s+)?\w+)\s+if\b|"
    r"\bif\s+(?:that|it)['\u2019]?s\s+(?:okay|ok|fine|alright|all\s+right)|\bas\s+if\b|\beven\s+if\b",
    re.IGNORECASE,
)

# What cannot be promised: states, outcomes, turns of phrase. Base forms.
NO_ACTION = word_set("""
    be have feel know need want like love hate wish hope guess bet assume suppose imagine understand
    remember forget regret miss lose fail die fall end become remain seem sound appear see hear realise
    realize believe admit agree disagree manage survive suffer struggle panic cry freeze explode snap
    happen cost depend deserve belong never say mean notice wake sleep sit probably not get think
    """)
# "I'm going to the gym on Mondays" tells of a habit or a place.
NO_VERB = word_set("the a an my our his her their this that your it work school bed him them")
# Talk about the talk itself; a client may well promise to ask, to stop or to read, a coach means now.
ABOUT_THE_TALK = word_set("""
    ask summarise summarize recap repeat pause stop read start begin interrupt jump reflect challenge
    push play offer invite share suggest propose say tell give let go leave throw put take hold move
    turn look listen use try rephrase paraphrase add name stay mention note write try close finish wrap
    show explain describe walk point talk recommend
    """)
TALK_NOTE = re.compile(r"^make\s+(?:a\s+(?:quick\s+|short\s+)?note|notes)\b", re.IGNORECASE)
# ...unless it is plain that the thing comes later.
LATER = re.compile(
    r"^look\s+into\b|^get\s+back\b|\b(?:you\s+(?:the|a|an|my|some|that|those|these|two|three)\b.*\b(?:e-?mail|link|sheet|worksheet|article|"
    r"notes?|summary|template|document|file|slides?|exercise|list|book|invite|invitation|recording)|"
    r"e-?mail|link|calendar|tomorrow|tonight|after\s+(?:this|the|our|we)|before\s+(?:our|the|we)|next\s+(?:week|time|"
    r"session|month)|by\s+(?:\w+day|the|next|tomorrow)|on\s+\w+day|this\s+(?:week|afternoon|evening)|later|"
    r"in\s+(?:a|two|three)\s+(?:day|week)s?)\b",
    re.IGNORECASE,
)
TALK_PHRASES = re.compile(
    r"^(?:tell|ask|give|let)\s+(?:you|me)\s+(?:what|something|that|this|honestly|a\s+(?:moment|minute|second|"
    r"chance|question)|an\s+example|go|think|know\s+that)\b|^(?:give|grant)\s+(?:you|him|her|them)\s+that\b|"
    r"^(?:see|talk\s+to|speak\s+to|catch|meet)\s+you\b|^do\s+(?:anything|whatever|everything)\b|^plan\s+to\s+(?:see|meet)\b|^talk\s+about\b|^go\s+(?:crazy|mad|first|ahead|on|with\s+that)\b|"
    r"^leave\s+it\b|^take\s+(?:that|it)\b|^make\s+(?:it|a\s+fool|mistakes?|a\s+mistake)\b|^pass\b|^stick\s+with\s+that\b|"
    r"^(?:share|put|show)\s+(?:my\s+screen|that\s+here|it\s+here)\b|^come\s+(?:across|off)\b|"
    r"^let\s+(?:go|him|her|them|people|everyone)\b(?!\s+know)|^turn\s+out\b|^look\s+(?:like|stupid|bad|silly)\b|"
    # "put the cat down in a second" is done before the session is over
    r"\bin\s+(?:a|one|just\s+a|two)\s+(?:secs?|seconds?|moments?|minutes?)\b|"
    r"^hold\s+(?:you|me|him|her|them)\s+to\b|^call\s+(?:it|that|this)\b(?!\s+off\b)|"
    r"^do\s+(?:fine|well|okay|better|badly)\b|^do\s+my\s+best\s*$|^try\s*[.,!]*$|^explain\s+(?:it|that|this)?\s*[.,!]*$",
    re.IGNORECASE,
)
ONLY_PRONOUN = re.compile(
    r"^(?:(?:go\s+into|look\s+at|explore|do|try|give|go\s+for|start\s+with|take|stick\s+to|make|think\s+about)\s+(?:that|it|this|so|both|it\s+a\s+(?:try|"
    r"go|shot)|that\s+a\s+(?:try|go|shot)|exactly\s+that)(?:\s+one)?)\b",
    re.IGNORECASE,
)
CLAUSE_END = re.compile(
    rf"\s*[,;]?\s+(?:but|because|{_A}cause|so\s+(?!that)|and\s+then\s+(?:we|you)|and\s+(?:we|you|they|"
    rf"he|she|it|that{_A}s|that|I)\s)|\s*[;\u2014]|\s*,\s*(?:although|though|which|okay|ok|right|alright|all\s+right|yeah|you\s+know|I\s+think|"
    rf"I\s+guess|I\s+promise|for\s+sure|definitely|if\s+that{_A}s\s+(?:okay|ok|fine|alright))\b|\s+--|[\s,]+(?:um|uh|er|erm)\b",
    re.IGNORECASE,
)
LAST_PART = re.compile(r",|\band\b", re.IGNORECASE)
# Left over where a sentence broke off ("talk to Billy about, um").
BROKEN_OFF = re.compile(
    r"(?:^|\s)(?:about|to|for|with|of|the|a|an|and|my|from|into|at)$", re.IGNORECASE
)
# Put to the client, but about the talk itself.
ASKS_TO_TALK = re.compile(
    r"\b(?:let|tell|telling|help|fill|give|giving|show|walk|share\s+with)\s+me\b|"
    r"^(?:just\s+)?(?:kind\s+of\s+|sort\s+of\s+)?(?:explor|discuss|talking\s+about|hearing|sharing|expand|elaborat)",
    re.IGNORECASE,
)
TAG = re.compile(r",\s*(?:okay|ok|right|alright|all\s+right|yeah)\s*\?$", re.IGNORECASE)

PROPOSAL = re.compile(
    rf"\b(?P<cue>(?:maybe|perhaps)\s+(?:you\s+(?:could|can|might(?:\s+want\s+to)?|should|would\s+want\s+to|will|try)|you|try)|"
    rf"you\s+could|you\s+(?:might|may)\s+(?:want\s+to|wish\s+to|try|consider|like\s+to|find\s+it\s+(?:useful|helpful)\s+to)|"
    rf"how\s+about\s+(?:if\s+)?you|how\s+about(?=\s+\w+ing\b)|what\s+if\s+you|why\s+don{_A}t\s+you|"
    rf"I(?:{_A}d|\s+would)?\s+(?:really\s+|strongly\s+|also\s+)?(?:suggest|recommend)(?:\s+(?:that\s+)?you)?|"
    rf"I(?:{_A}d|\s+would|\s+want\s+to|\s+would\s+like\s+to|{_A}d\s+like\s+to)?\s+(?:really\s+)?(?:encourage|invite|challenge)\s+you\s+to|"
    rf"would\s+you\s+be\s+(?:willing|open|up\s+for|able|ready|prepared)(?:\s+to)?|are\s+you\s+willing\s+to|"
    rf"(?:one|another|an)\s+(?:option|idea|possibility)\s+(?:is|would\s+be|could\s+be|might\s+be)(?:\s+for\s+you)?\s+to|"
    rf"it\s+(?:might|could|would|may)\s+(?:be\s+(?:useful|helpful|good|worth(?:while)?)|help)(?:\s+(?:for\s+you|you))?\s+to|"
    rf"have\s+you\s+(?:considered|thought\s+(?:of|about))(?=\s+\w+ing\b)|"
    rf"my\s+(?:suggestion|recommendation|advice)\s+(?:is|would\s+be)(?:\s+to|\s+that\s+you)?)\s+"
    rf"(?P<action>(?:just\s+|also\s+|maybe\s+|perhaps\s+|even\s+|simply\s+|always\s+|then\s+)*(?P<verb>[^\W\d_]+)(?P<rest>.*))",
    re.IGNORECASE | re.DOTALL,
)
OWN_IDEA = re.compile(
    rf"\b(?P<cue>(?:maybe|perhaps)\s+I\s+(?:could|can|should)|(?:maybe|perhaps)\s+I{_A}ll|I\s+(?:could|might)(?=\s+try\b))\s+"
    rf"(?P<action>(?:just\s+|also\s+|even\s+|then\s+)*(?P<verb>[^\W\d_]+)(?P<rest>.*))",
    re.IGNORECASE | re.DOTALL,
)
REQUEST = re.compile(
    r"\b(?:could|can|would|will)\s+you\s+(?:please\s+|maybe\s+|also\s+|just\s+|perhaps\s+)*(?P<action>(?P<verb>send|"
    r"email|e-mail|forward|share|write|call|text|book|check|bring|prepare|draft|introduce|schedule|set|put|do|try|make|"
    r"keep|note|talk\s+to|speak\s+to|look\s+into|finish|complete|ask)\b(?P<rest>.*))",
    re.IGNORECASE | re.DOTALL,
)
# "What do you think you could do?" asks; "you said you could ask her" tells.
PROPOSAL_BLOCKED = re.compile(
    r"\b(?:what|where|when|how|who|which|why|if|wish|said|say|says|think|thought|told|so\s+that|until|that|as\s+though|"
    r"anything|something|everything|one\s+thing|things|ways?|because|hoped|feel|believe|glad|before|time)\s+(?:\w+\s+)?$",
    re.IGNORECASE,
)
NO_PROPOSAL = word_set("""
    be have feel know see hear say tell imagine get find notice not were had did been wonder think describe explain
    want need remember even guess argue expect were felt knew couldn didn weren hadn failed lost said is are and or in at on the a
    was do give don can won
    """)

ACCEPTS = re.compile(
    rf"\b(?:I{_A}ll|I\s+will|I\s+can|I(?:{_A}m|\s+am)\s+(?:going\s+to|gonna)|I{_A}d\s+be\s+happy\s+to|I(?:{_A}m|\s+am)\s+happy\s+to)\s+"
    rf"(?:definitely\s+|certainly\s+|absolutely\s+|gladly\s+|sure\s+)?(?:do\s+(?:that|it|this|so)|try\s+(?:that|it|this)|give\s+(?:that|it|"
    rf"this)\s+a\s+(?:try|go|shot)|commit\s+to\s+(?:that|it|this)|go\s+(?:for|with)\s+(?:that|it|this)|make\s+(?:that|it)\s+happen)"
    rf"(?=\s*(?:[.,;!?]|$|(?:by|on|before|after|this|next|tomorrow|today|tonight|in|at|with|for|too|as|and|then|right|over|"
    rf"during|when|every|first|now|definitely|until)\b))|"
    rf"(?:^|[.!,]\s*)(?:yes|yeah|yep|sure|okay|ok|absolutely|of\s+course|definitely|certainly|alright|all\s+right|right|gladly|good|great)"
    rf"[,.!]?\s+(?:yes[,.]?\s+)?(?:I\s+will|will\s+do)\s*(?:[.,;!]|$)|\bconsider\s+it\s+done\b|"
    rf"^\W*will\s+do\b|^\W*I\s+will\s*[.!]",
    re.IGNORECASE,
)
# "What will you do until then?" asks; it requests nothing.
ASKED = re.compile(r"\b(?:what|when|where|how|which|who|why)\b[^,;]*$", re.IGNORECASE)
ACCEPT_BLOCKED = re.compile(
    rf"\b(?:if|unless|maybe|perhaps|probably|not\s+sure|don{_A}t\s+(?:think|know)|doubt|whether|won{_A}t|can{_A}t)\b",
    re.IGNORECASE,
)
