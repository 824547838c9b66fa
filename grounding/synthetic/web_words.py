"""Words that stand on web pages: what kinds of sites list, do and ask for."""

from dataclasses import dataclass
from functools import lru_cache

# name; things; pages of the menu; columns; states; fields; actions
_DOMAINS = """
Shop admin;Orders,Products,Customers,Coupons;Overview,Orders,Returns,Products,Collections,Inventory,Customers,Discounts,Gift cards,Reviews,Payouts,Shipping zones,Abandoned carts,Storefront,Theme editor;Order,Customer,Date,Total,Payment,Fulfilment,Items,Channel;Paid,Unpaid,Refunded,Shipped,Backordered,Cancelled,Packed;Order number,Customer email,Shipping address,Billing address,Coupon code,SKU,Weight,Stock quantity,Vendor,Compare-at price;Refund,Mark as shipped,Print packing slip,Capture payment,Duplicate product,Resend receipt,Adjust stock
Sales CRM;Leads,Deals,Contacts,Companies;Pipeline,Leads,Deals,Contacts,Companies,Activities,Quotes,Forecast,Campaigns,Call log,Playbooks,Territories,Win/loss report;Name,Company,Stage,Value,Owner,Last contact,Next step,Source;New,Qualified,Proposal sent,Negotiation,Won,Lost,On hold;Deal name,Expected close date,Deal value,Lead source,Job title,Account owner,Territory;Convert lead,Log a call,Schedule meeting,Assign owner,Move to next stage,Merge contacts,Send quote
People and payroll;Employees,Departments,Leave requests,Payslips;Directory,Time off,Attendance,Payroll,Benefits,Performance,Goals,Onboarding,Job openings,Org chart,Documents,Expenses,Timesheets;Employee,Department,Position,Start date,Salary,Manager,Location,Contract;Active,On leave,Probation,Terminated,Pending approval,Remote;First name,Last name,Date of birth,Hire date,Bank account,Emergency contact,Tax ID,Working hours,Marital status;Approve leave,Reject request,Run payroll,Download payslip,Request time off,Add employee,Clock in,Clock out
Clinic;Patients,Appointments,Prescriptions,Invoices;Today,Patients,Appointments,Waiting room,Lab results,Prescriptions,Vaccinations,Referrals,Billing,Insurance claims,Staff rota,Messages;Patient,Doctor,Date,Time,Reason,Room,Insurance,Follow-up;Checked in,No show,Confirmed,Completed,Rescheduled,Waiting;Patient ID,Blood type,Allergies,Height,Symptoms,Diagnosis,Medication,Dosage,Referring doctor,Insurance number;Check in patient,Book appointment,Print prescription,Send reminder,Add lab result,Reschedule visit
School;Courses,Students,Assignments,Grades;My courses,Timetable,Assignments,Grades,Attendance,Library,Exams,Forums,Certificates,Teachers,Parents,Announcements,Term dates;Student,Course,Grade,Due date,Teacher,Attendance,Credits,Semester;Submitted,Late,Graded,Missing,Enrolled,Passed,Failed;Student number,Class,Guardian name,Subject,Essay title,Grade,Semester,Room;Submit assignment,Enrol student,Take attendance,Grade submission,Download certificate,Message teacher,Extend deadline
Cloud console;Servers,Databases,Deployments,Volumes;Instances,Load balancers,Firewalls,Databases,Object storage,DNS zones,Certificates,Backups,Monitoring,Logs,API tokens,Billing,Quotas,Teams,SSH keys,Kubernetes;Name,Region,IP address,Memory,vCPUs,Uptime,Image,Cost;Running,Stopped,Provisioning,Degraded,Healthy,Failed,Rebooting;Hostname,Region,Image,Port,SSH public key,Webhook URL,Environment variable,Root password,Replica count,Branch;Reboot,Power off,Take snapshot,Resize,Attach volume,Open console,Rotate key,Deploy,Roll back,View logs
Web analytics;Sessions,Campaigns,Goals,Pages;Realtime,Audience,Acquisition,Behaviour,Conversions,Funnels,Cohorts,Segments,Custom reports,Alerts,Data sources,Heatmaps;Page,Visitors,Bounce rate,Avg. duration,Conversions,Revenue,Source,Change;Up,Down,Stable,Draft,Live,Archived;Report name,Date range,Segment,Metric,Dimension,Tracking ID,Landing page,Sampling rate;Export report,Compare periods,Add segment,Share dashboard,Schedule email,Create goal,Customise chart
Online banking;Accounts,Cards,Transfers,Statements;Accounts,Payments,Transfers,Cards,Savings goals,Loans,Mortgages,Investments,Standing orders,Direct debits,Exchange rates,Statements,Insurance;Date,Description,Amount,Balance,Category,Reference,Payee,Account;Completed,Pending,Declined,Scheduled,Reversed,Blocked;IBAN,Payee name,Amount,Reference,Card number,Expiry date,Security code,Sort code,PIN,Interest rate;Transfer money,Pay a bill,Freeze card,Order new card,Download statement,Set spending limit,Add payee,Exchange currency
Travel;Flights,Hotels,Trips,Travellers;Flights,Stays,Car hire,Packages,City breaks,Train tickets,My trips,Check-in,Deals,Travel guides,Loyalty points,Price alerts;Route,Departure,Arrival,Duration,Airline,Stops,Price,Seats;On time,Delayed,Boarding,Cancelled,Booked,Waitlisted;From,To,Departure date,Return date,Passengers,Cabin class,Passport number,Nationality,Room type,Promo code;Search flights,Choose seats,Add baggage,Check in online,Change booking,Cancel trip,View boarding pass,Compare fares
Property;Listings,Viewings,Tenants,Offers;Buy,Rent,Sold prices,New homes,Agents,Mortgages,Saved homes,Viewings,Valuation,Tenants,Maintenance,Leases;Address,Price,Bedrooms,Area,Type,Agent,Listed,Status;For sale,Under offer,Sold,To let,Let agreed,Withdrawn;Postcode,Minimum price,Maximum price,Bedrooms,Bathrooms,Floor area,Move-in date,Deposit,Year built;Book a viewing,Save home,Contact agent,Make an offer,Request valuation,See floor plan,Virtual tour
Logistics;Shipments,Vehicles,Drivers,Warehouses;Shipments,Fleet,Routes,Drivers,Warehouses,Customs,Tracking,Proof of delivery,Fuel cards,Carriers,Pallets,Rates,Live map;Tracking no.,Origin,Destination,Carrier,Weight,ETA,Driver,Vehicle;In transit,Delivered,Out for delivery,Customs hold,Returned,Picked up;Tracking number,Consignee,Pickup date,Delivery window,Gross weight,Container,Plate number,Fuel level;Track parcel,Assign driver,Print label,Plan route,Report damage,Confirm delivery,Call driver
Content manager;Posts,Pages,Media,Comments;Posts,Pages,Media library,Categories,Tags,Comments,Menus,Widgets,Appearance,Plugins,Users,Redirects,SEO,Revisions,Translations;Title,Author,Categories,Published,Comments,Views,Slug,Language;Published,Draft,Scheduled,Private,Pending review,Trashed;Title,Slug,Excerpt,Meta description,Featured image,Author,Publish date,Canonical URL,Password;Publish,Save draft,Preview changes,Add media,Move to trash,Quick edit,Bulk edit,View revisions,Schedule post
Helpdesk;Tickets,Agents,Articles,Queues;Inbox,My tickets,Unassigned,Mentions,Knowledge base,Macros,Satisfaction,SLA policies,Automations,Canned replies,Agents,Customers,Escalations;Ticket,Subject,Requester,Priority,Assignee,Updated,Channel,SLA;Open,Pending,On hold,Solved,Closed,Escalated,Urgent;Subject,Requester,Priority,Assignee,Group,Due by,Internal note,Tags,Ticket type;Reply,Assign to me,Close ticket,Merge tickets,Escalate,Add internal note,Mark as solved,Apply macro,Snooze
Smart home;Devices,Rooms,Scenes,Automations;Home,Rooms,Devices,Scenes,Automations,Energy,Cameras,Climate,Lights,Blinds,Door locks,History,Add-ons;Device,Room,Temperature,Humidity,Battery,Signal,Last seen,Firmware;Online,Offline,Low battery,Idle,Heating,Cooling,Armed;Device name,Room,Target temperature,Wi-Fi network,Pairing code,Timer,Brightness,Trigger;Turn everything off,Arm alarm,Run scene,Pair device,Restart hub,Open blinds,Lock front door,Boost heating
Projects;Tasks,Sprints,Milestones,Members;My work,Board,Backlog,Roadmap,Timeline,Sprints,Issues,Epics,Releases,Files,Wiki,Workload,Reports,Time tracking;Task,Assignee,Priority,Due,Estimate,Sprint,Labels,Progress;To do,In progress,In review,Done,Blocked,Ready for QA,Backlog;Task title,Assignee,Due date,Story points,Labels,Epic,Acceptance criteria,Time spent,Reporter;Create task,Start sprint,Add subtask,Log time,Move to done,Copy link,Watch issue,Link issue,Complete sprint
Code hosting;Repositories,Pull requests,Issues,Pipelines;Code,Issues,Pull requests,Actions,Packages,Wiki,Security,Insights,Releases,Branches,Tags,Milestones,Runners,Environments;Name,Branch,Author,Last commit,Language,Stars,Status,Duration;Open,Merged,Draft,Passing,Failing,Approved,Changes requested;Repository name,Branch name,Commit message,Access token,Visibility,Default branch,Reviewer,License;Clone,Fork,Merge pull request,Create branch,Request review,Re-run jobs,Compare changes,New issue,Approve
Music;Playlists,Albums,Artists,Podcasts;Home,Discover,Radio,Charts,Podcasts,Audiobooks,Liked songs,Albums,Artists,Playlists,Downloads,Concerts,Lyrics;Title,Artist,Album,Duration,Plays,Added,Genre,Year;Playing,Queued,Downloaded,Explicit,Unavailable;Playlist name,Description,Genre,Mood,Crossfade,Audio quality,Sleep timer;Play all,Add to queue,Follow artist,Create playlist,Download album,Show lyrics,Share song,Go to album
Video;Channels,Clips,Series,Streams;Home,Trending,Subscriptions,Library,History,Watch later,Live,Movies,Series,Kids,Shorts,Studio,Downloads;Title,Channel,Views,Uploaded,Length,Likes,Quality,Comments;Live,Premiere,New,Watched,Processing,Private;Video title,Description,Thumbnail,Audience,Subtitles,Playback speed,Stream key;Subscribe,Watch later,Skip intro,Next episode,Upload video,Go live,Report video,Add to list
Social;Friends,Groups,Events,Messages;Feed,Explore,Messages,Notifications,Friends,Groups,Events,Marketplace,Memories,Saved,Pages,Stories,Followers,Lists;Member,Joined,Posts,Followers,Location,Last active,Role,Groups;Online,Away,Busy,Invited,Blocked,Verified;Display name,Bio,Birthday,Hometown,Website,Relationship status,Username;Follow,Unfollow,Add friend,Send message,Like,Comment,Share post,Report,Mute,Create event
Restaurant;Menus,Bookings,Orders,Tables;Menu,Order online,Reservations,Gift vouchers,Locations,Catering,Our story,Allergens,Kitchen,Tables,Reviews,Delivery areas;Dish,Price,Category,Calories,Allergens,Orders,Table,Guests;Preparing,Ready,Served,Seated,Confirmed,Sold out;Number of guests,Table,Delivery address,Special requests,Date,Time,Tip,Phone number;Reserve a table,Add to order,Call waiter,Split bill,Reorder,View menu,Track delivery
Fitness;Workouts,Classes,Members,Goals;Today,Workouts,Nutrition,Progress,Challenges,Classes,Trainers,Memberships,Routes,Sleep,Heart rate,Friends;Exercise,Sets,Reps,Weight,Duration,Calories,Coach,Level;Completed,Missed,Planned,In progress,Rest day;Height,Weight,Goal weight,Age,Activity level,Steps goal,Trainer;Start workout,Log meal,Book class,Sync watch,Set goal,Join challenge,Add exercise
Library;Books,Loans,Members,Reservations;Catalogue,Loans,Reservations,Members,Fines,Acquisitions,E-books,Reading lists,Study rooms,Opening hours,Journals,New arrivals;Title,Author,ISBN,Shelf,Due back,Copies,Publisher,Year;Available,On loan,Overdue,Reserved,Lost,Reference only;ISBN,Author,Publisher,Card number,Shelf mark,Edition,Language,Subject;Renew loan,Reserve book,Return item,Pay fine,Add to reading list,Check out
Council services;Applications,Permits,Payments,Appointments;Council tax,Bins and recycling,Planning,Parking,Housing,Benefits,Schools,Registrars,Elections,Report a problem,Business rates,Libraries,Contact us;Reference,Applicant,Type,Received,Decision,Officer,Ward,Fee;Received,Under review,Granted,Refused,Awaiting payment,Withdrawn;National Insurance number,Property address,Vehicle registration,Reason for applying,Contact preference,Reference number;Start application,Pay now,Apply for a permit,Check your answers,Renew permit,Book appointment,Track application
Insurance;Policies,Claims,Quotes,Agents;My policies,Claims,Get a quote,Car insurance,Home insurance,Life cover,Pet insurance,Documents,Renewals,Payments,Breakdown cover,Help centre;Policy no.,Holder,Cover,Premium,Excess,Renewal date,Agent,Claims;Active,Lapsed,Under assessment,Paid out,Rejected,Renewal due;Policy number,Date of incident,Description of damage,Excess,No-claims bonus,Vehicle value,Driver name;File a claim,Get a quote,Renew policy,Upload photos,Add driver,Download documents,Call me back
Events;Events,Tickets,Attendees,Speakers;Discover,My tickets,Schedule,Speakers,Venues,Sponsors,Attendees,Check-in,Promo codes,Seat map,Livestream,Feedback;Event,Venue,Date,Tickets sold,Price,Capacity,Organiser,Track;On sale,Sold out,Cancelled,Few left,Free,Postponed;Event name,Venue,Start time,End time,Capacity,Ticket price,Organiser email,Promo code;Buy tickets,Add to calendar,Transfer ticket,Scan ticket,Publish event,Invite speaker,Join waiting list
Recruiting;Candidates,Jobs,Interviews,Offers;Jobs,Candidates,Interviews,Scorecards,Talent pool,Referrals,Career site,Offers,Email templates,Agencies,Reports,Skills tests;Candidate,Position,Stage,Applied,Rating,Recruiter,Source,Salary;Applied,Phone screen,Interview,Offer,Hired,Rejected;Job title,Salary range,Cover letter,CV upload,Notice period,Portfolio URL,Available from,Recruiter;Schedule interview,Reject candidate,Make offer,Share profile,Post job,Add scorecard,Move stage
Warehouse and manufacturing;Work orders,Parts,Machines,Suppliers;Work orders,Bill of materials,Machines,Maintenance,Quality,Suppliers,Purchase orders,Stock,Shifts,Downtime,Calibration,Scrap,Barcodes;Part,Batch,Quantity,Bin,Supplier,Cost,Machine,Operator;In stock,Low stock,On order,Quarantined,Scrapped,Released;Part number,Batch number,Bin location,Reorder level,Unit cost,Operator,Machine,Cycle time;Receive goods,Start batch,Log downtime,Count stock,Print barcode,Release order,Order parts
Security and access;Users,Roles,Sessions,Audit events;Users,Groups,Roles,Permissions,Audit log,Sessions,Devices,Single sign-on,Password policy,IP allow list,API keys,Provisioning,Consents;User,Email,Role,Last login,Two-factor,IP address,Device,Created;Active,Suspended,Invited,Locked,Expired,Superuser;Username,Email address,Password,Confirm password,Role,Permissions,Group,Session length;Invite user,Reset password,Revoke session,Suspend account,Force logout,Generate key,Impersonate user,Assign role
"""  # noqa: E501
SETTINGS = """Dark mode|Email notifications|Push notifications|Two-factor authentication|Show profile publicly|Remember this device|Auto-save|
Enable comments|Allow downloads|Weekly digest|Beta features|Desktop alerts|Sound effects|Show online status|Read receipts|Location services|
Autoplay videos|Compact view|High contrast|Reduce motion|Sync over mobile data|Offline mode|Spell check|Marketing emails|SMS alerts|
Share usage data|Personalised ads|Automatic updates|Developer mode|Show hidden files|Confirm before deleting|Keyboard shortcuts|
Open links in new tab|Hide my email|Block unknown senders|Night light|Vacation responder|Maintenance mode|Public API access|Guest checkout|
Auto-renew|Tax included in prices|Show stock levels|Require approval|Lock after 5 minutes|Subtitles|Closed captions|HD streaming|
Include archived|Only show my items|Receive SMS codes|Send crash reports|Use system font|24-hour clock|Start week on Monday""".replace(
    "\n", ""
).split("|")
SETTING_PAGES = """Profile|Account|Appearance|Notifications|Privacy|Security|Billing|Subscription|Team members|Integrations|Webhooks|Languages|
Accessibility|Connected apps|Sessions|Storage|Import and export|Danger zone|Email|Domains|Developers|Audit log|Localisation|Payment methods|
Data retention|Branding|Custom fields|Workspaces|Plans|API access|Keyboard|Downloads""".replace("\n", "").split("|")
FIELDS = """Full name|First name|Last name|Email address|Phone number|Password|Confirm password|Company|Street address|City|Postal code|Country|
State|Website|Date of birth|Username|Message|Subject|Job title|Card number|Name on card|Expiry date|CVC|Notes|Description|Title|Quantity|Price|
Category|Tags|Time zone|Language|Currency|Start date|End date|Budget|Reference|Display name|Nickname|Gender|Apartment|VAT number|Delivery notes|
Gift message|Voucher code|Account number|Comments|Summary|Keywords|Duration|Priority|Department|Location""".replace(
    "\n", ""
).split("|")
CHOICES = """Small|Medium|Large|Standard delivery|Express delivery|Collect in store|Credit card|Bank transfer|Invoice|Monthly|Yearly|Daily|Weekly|
Public|Private|Team only|Everyone|Nobody|Friends|Yes|No|Not sure|Male|Female|Prefer not to say|Red|Blue|Green|Black|Cash on delivery|
Email|Phone|Post|Light|Dark|System default|Low|Normal|High|Urgent|Ascending|Descending|One way|Return|Economy|Business|Basic|Pro|
Enterprise|Beginner|Intermediate|Advanced|Vegetarian|Vegan|Gluten free""".replace("\n", "").split("|")
TABS = """Overview|Details|Activity|Comments|Files|History|Members|Reports|Analytics|Documents|Notes|Timeline|Permissions|Reviews|Specifications|
Description|Questions|Related|General|Advanced|All|Active|Archived|Drafts|Mentions|Following|For you|Popular|Latest|Day|Week|Month|Year|
Configuration|Logs|Metrics|Source|Preview|Changes|Discussion|Participants|Photos|Map|Summary|Invoices|Usage""".replace(
    "\n", ""
).split("|")
ACTIONS = """Save|Cancel|Save changes|Discard|Apply|Continue|Back|Next|Submit|Delete|Remove|Edit|Add new|Create|Update|Export|Import|Download|
Upload|Share|Copy link|Duplicate|Archive|Restore|Filter|Sort|Refresh|Print|Send|Reply|Forward|View all|See more|Learn more|Show details|
Load more|Clear filters|Select all|Save and continue|Save as draft|Save and add another|Export CSV|Export PDF|Import contacts|Invite people|
Upgrade plan|Get started|Try for free|Contact sales|Book a demo|Request access|Log out|Sign in|Sign up|Create account|Accept all|Reject all|
Manage cookies|Not now|Remind me later|Got it|Dismiss|Close|Add to cart|Buy now|Check out|Continue shopping|Add to wishlist|Write a review|
Subscribe|Unsubscribe|Follow|Message|Call|Get directions|Open in app|Read more|Join|Leave|Approve|Decline|Assign|Complete|Undo|Retry|
Test connection|Generate report|Run now|Schedule|Preview|Publish|Unpublish|Pin|Mute|Block|Report a problem|Verify email|Resend code|
Change password|Browse files|Take photo|Connect|Disconnect|Enable|Disable|Reset to default|Start trial|View invoice|Pay now""".replace(
    "\n", ""
).split("|")
SITE_LINKS = """Home|About us|Pricing|Features|Blog|Careers|Press|Contact|Help centre|Documentation|API reference|Community|Status|Terms of service|
Privacy policy|Cookie settings|Accessibility|Sitemap|Partners|Customers|Integrations|Changelog|Roadmap|Security|Affiliates|Newsletter|Store|
Gift cards|Track order|Returns|Size guide|Find a store|Forum|Tutorials|Webinars|Case studies|Team|Investors|Support|FAQ|Imprint|Download|
Enterprise|Solutions|Resources|Templates|Events|Guides|Open source|Sponsors|Media kit|Legal notice|Feedback|Sign in|Register""".replace(
    "\n", ""
).split("|")
PRODUCTS = """Desk lamp|Wireless headphones|Running shoes|Coffee grinder|Leather wallet|Yoga mat|Office chair|Rain jacket|Water bottle|Backpack|
Ceramic mug|Wool scarf|Bluetooth speaker|Mechanical keyboard|Garden hose|Cast iron pan|Travel pillow|Bike helmet|Phone case|Sunglasses|
Table tennis set|Wall clock|Bath towel|Camping tent|Electric kettle|Linen shirt|Notebook|Board game|Face cream|Dog bed|Vacuum cleaner|
Plant pot|USB-C cable|Memory card|Standing desk|Kitchen scale|Toaster|Hair dryer|Sleeping bag|Fountain pen|Picture frame|Storage box|
Baby monitor|Knife set|Guitar strings|Paint brushes|Tool kit|Candle|Duvet cover|Smart watch""".replace("\n", "").split(
    "|"
)
FILES = """report.pdf|budget-2026.xlsx|holiday.jpg|README.md|notes.txt|presentation.pptx|invoice-0043.pdf|logo.svg|backup.zip|contract.docx|
index.html|styles.css|main.py|data.csv|podcast.mp3|trailer.mp4|scan_001.png|minutes.docx|requirements.txt|Dockerfile|config.yaml|archive.tar.gz|
Photos|Documents|Music|Projects|Downloads|Shared with me|Old versions|Templates|Taxes|Receipts|Family|Work|Drafts|src|tests|assets""".replace(
    "\n", ""
).split("|")


@dataclass(frozen=True)
class Domain:
    """What one kind of site talks about; every list has at least four entries."""

    name: str
    things: tuple[str, ...]
    pages: tuple[str, ...]
    columns: tuple[str, ...]
    states: tuple[str, ...]
    fields: tuple[str, ...]
    actions: tuple[str, ...]


@lru_cache(maxsize=1)
def domains() -> tuple[Domain, ...]:
    """All kinds of sites."""
    found = []
    for line in _DOMAINS.strip().splitlines():
        name, *parts = line.split(";")
        found.append(Domain(name, *(tuple(part.split(",")) for part in parts)))
    return tuple(found)
